"""The keyring: identifiers, keys, bookmarks, access numbers, the publisher's state."""
