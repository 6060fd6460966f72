"""One reader per dataset layout, each giving rows of the manifest; phantoms of the layouts."""
