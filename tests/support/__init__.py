"""What tests share: servers they start, worlds they build."""
