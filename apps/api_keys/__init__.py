"""Issue, verify and revoke the keys with which programs call Parley."""
