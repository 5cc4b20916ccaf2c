-- Dagster's records lie beside the operations database, in a database of their own.
create database dagster owner emp;
