"""What every room uses: arguments, arrays, text, files, caches.  Imports nothing of striate."""
