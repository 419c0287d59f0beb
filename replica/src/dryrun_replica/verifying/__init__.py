"""Whether ground truth is true, asked from inside a stand-in; shares no code with who builds or scans."""
