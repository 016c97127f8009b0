"""Pure: decisions about time and size: back-off, batch cut, high-water mark, renewal window."""
