"""The only place that knows DICOM: headers, decoding, gray levels, and the sandbox around them."""
