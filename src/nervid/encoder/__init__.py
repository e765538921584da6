"""Video to .nerv: what to aim for, the segments' fits, the file's bytes. Its config imports no torch."""
