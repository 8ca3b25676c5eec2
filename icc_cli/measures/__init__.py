"""The measures c1 to c4, one a file. numpy alone."""
