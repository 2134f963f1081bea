"""Wire messages of the values floor. The `.proto` files are the contract; the rest is generated."""
