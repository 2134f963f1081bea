"""What a user would name: contacts, files, identity. Each service is tied to the others only in `warren.node`."""
