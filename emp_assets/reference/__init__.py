"""Reference data: instruments, trading sessions, corporate actions."""
