"""Moments of aligned .nerv files that fit a query, found in their latents; no frame is decoded for it."""
