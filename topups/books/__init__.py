"""Our orders against the provider's books: what differs, who watches an order that ended, the daily comparison."""
