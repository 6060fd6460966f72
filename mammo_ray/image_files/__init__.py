"""Plain image files: headers and pixels of PNG, JPEG, PGM, TIFF and BMP, under DICOM's guards."""
