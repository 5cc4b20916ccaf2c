"""The request budget and the breakers of all vendors, shared by the processes that ask them."""
