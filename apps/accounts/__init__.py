"""Users, sign-in and staff permissions."""
