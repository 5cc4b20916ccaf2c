"""What the platform knows of its own state: readiness."""
