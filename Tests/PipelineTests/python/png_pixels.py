"""png_pixels.py FILE TARGET: "mode rows columns" and the pixels of a picture as Pillow reads it, after one line feed."""
import sys
from PIL import Image

with Image.open(sys.argv[1]) as picture:
    assert picture.format == "PNG"
    picture.load()
    with open(sys.argv[2], "wb") as target:
        target.write(f"{picture.mode} {picture.height} {picture.width}\n".encode() + picture.tobytes())
