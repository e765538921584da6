"""Representations: networks that draw the frames of one clip, and the arithmetic of their sizes."""
