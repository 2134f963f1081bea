"""What a user would name: contacts, files, identity. They are tied to one another only in `warren.node`."""
