"""The data that picture files hold beside their pixels: EXIF, XMP, profiles, resolution."""
