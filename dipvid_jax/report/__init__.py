"""`report.html` and the pictures in it."""
