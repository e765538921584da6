"""How good the pictures are (`distortion`, needs torch) and what they cost (`rate`, does not)."""
