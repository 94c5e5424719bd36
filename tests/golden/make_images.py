"""Writes tests/golden/images: small pictures of every kind, and what PIL makes of them.

images.json has, by file, the SHA-256 of the RGB bytes of ImageOps.exif_transpose(Image.open(file)).convert("RGB"), and by size and
resampling that of Image.resize. Needs pillow 13.0.0 (libjpeg-turbo, libwebp in it) and numpy. Run: python3 tests/golden/make_images.py
"""

import hashlib
import io
import json
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent / "images"


def picture(width, height, seed=0):
    """Smooth colours with edges and some noise, [height, width, 3]."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 7 + y / 11 + c) * np.cos(x / 13 - y / 5 * c) for c in range(3)]
    noise = np.random.default_rng(seed).normal(0, 8, (height, width, 3))
    edges = ((x // 9 + y // 6) % 3 == 0)[..., None] * np.array([70, -60, 40])
    return np.clip(np.stack(waves, -1) * 90 + 128 + noise + edges, 0, 255).astype(np.uint8)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def packed(rows, bits):
    """`rows` is [height, width, channels]; returns unfiltered scanlines."""
    lines = b""
    for row in rows:
        if bits == 16:
            lines += b"\0" + row.astype(">u2").tobytes()
        elif bits == 8:
            lines += b"\0" + row.astype(np.uint8).tobytes()
        else:
            digits = "".join(format(int(v), f"0{bits}b") for v in row.ravel())
            digits += "0" * (-len(digits) % 8)
            lines += b"\0" + bytes(int(digits[i : i + 8], 2) for i in range(0, len(digits), 8))
    return lines


def png(samples, colour_type, bits, interlaced=False, extra=b"", after=b""):
    height, width = samples.shape[:2]
    samples = samples.reshape(height, width, -1)
    if interlaced:
        lines = b"".join(packed(samples[y0::dy, x0::dx], bits) for x0, y0, dx, dy in PASSES if samples[y0::dy, x0::dx].size)
    else:
        lines = packed(samples, bits)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(lines, 9)) + after + chunk(b"IEND", b""))


def exif(orientation, big=False):
    order = ">" if big else "<"
    return (b"MM\0*" if big else b"II*\0") + struct.pack(order + "IH", 8, 2) + struct.pack(order + "HHIHH", 0x0100, 3, 1, 9, 0) + struct.pack(
        order + "HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def jpegs():
    image = Image.fromarray(picture(61, 47))
    for name, sampling in [("420", "4:2:0"), ("422", "4:2:2"), ("444", "4:4:4")]:
        yield f"{name}.jpg", saved(image, "JPEG", quality=80, subsampling=sampling)
    yield "progressive.jpg", saved(image, "JPEG", quality=70, progressive=True)
    yield "restarts.jpg", saved(image, "JPEG", quality=75, restart_marker_rows=1)
    yield "rgb.jpg", saved(image, "JPEG", quality=75, keep_rgb=True)
    yield "grey.jpg", saved(image.convert("L"), "JPEG", quality=60)
    cmyk = saved(image.convert("CMYK"), "JPEG", quality=75)
    yield "cmyk.jpg", cmyk
    adobe = cmyk.index(b"Adobe")
    yield "ycck.jpg", cmyk[: adobe + 11] + b"\2" + cmyk[adobe + 12 :]
    yield "1x1.jpg", saved(image.crop((0, 0, 1, 1)), "JPEG")
    yield "wide.jpg", saved(Image.fromarray(picture(700, 3)), "JPEG", quality=60)
    small = Image.fromarray(picture(19, 10, seed=2))
    for orientation in range(1, 9):
        yield f"turned{orientation}.jpg", saved(small, "JPEG", quality=50, exif=b"Exif\0\0" + exif(orientation, big=orientation % 2 == 0))


def pngs():
    pixels = picture(23, 17, seed=1)
    grey = pixels[..., 0]
    grey16 = grey.astype(np.uint16) * 3
    wide = pixels.astype(np.uint16) * 257 - 90
    alpha = picture(23, 17, seed=5)[..., 1:2]
    for bits in (1, 2, 4, 8):
        yield f"grey{bits}.png", png(grey >> (8 - bits), 0, bits)
    yield "grey16.png", png(grey16, 0, 16)
    yield "grey_alpha.png", png(np.concatenate([grey[..., None], alpha], -1), 4, 8)
    yield "grey_alpha16.png", png(np.concatenate([grey16[..., None] * 80, alpha.astype(np.uint16) * 257], -1), 4, 16)
    yield "grey_transparent.png", png(grey, 0, 8, extra=chunk(b"tRNS", struct.pack(">H", int(grey[3, 3]))))
    yield "rgb.png", png(pixels, 2, 8, extra=chunk(b"gAMA", struct.pack(">I", 45455)))
    yield "rgb16.png", png(wide, 2, 16)
    yield "rgba.png", png(np.concatenate([pixels, alpha], -1), 6, 8)
    yield "rgba16.png", png(np.concatenate([wide, alpha.astype(np.uint16) * 257], -1), 6, 16)
    for bits in (1, 2, 4, 8):
        colours = chunk(b"PLTE", picture(1 << bits, 1, seed=7).tobytes())
        yield f"palette{bits}.png", png(grey >> (8 - bits), 3, bits, extra=colours)
    yield "palette_transparent.png", png(grey >> 4, 3, 4, extra=chunk(b"PLTE", picture(16, 1, seed=7).tobytes()) + chunk(b"tRNS", bytes(range(0, 160, 10))))
    yield "palette_short.png", png(grey, 3, 8, extra=chunk(b"PLTE", picture(90, 1, seed=7).tobytes()))
    yield "interlaced_rgb.png", png(pixels, 2, 8, interlaced=True)
    yield "interlaced_palette.png", png(grey >> 4, 3, 4, interlaced=True, extra=chunk(b"PLTE", picture(16, 1, seed=7).tobytes()))
    yield "interlaced_grey16.png", png(grey16, 0, 16, interlaced=True)
    yield "interlaced_grey1.png", png(grey[:5, :3] >> 7, 0, 1, interlaced=True)
    yield "1x1.png", png(pixels[:1, :1], 2, 8)
    yield "turned6.png", png(pixels, 2, 8, extra=chunk(b"eXIf", exif(6)))
    yield "turned8_after.png", png(pixels, 2, 8, after=chunk(b"eXIf", exif(8, big=True)))
    yield "large.png", saved(Image.fromarray(picture(211, 127, seed=9) & 0xF0), "PNG", optimize=True)


def webps():
    image = Image.fromarray(picture(61, 47, seed=3))
    alpha = image.copy()
    alpha.putalpha(Image.fromarray(picture(61, 47, seed=4)[..., 0]))
    yield "lossy.webp", saved(image, "WEBP", quality=60)
    yield "lossless.webp", saved(image.crop((0, 0, 31, 22)), "WEBP", lossless=True)
    yield "lossy_alpha.webp", saved(alpha, "WEBP", quality=60)
    yield "lossless_alpha.webp", saved(alpha.crop((0, 0, 31, 22)), "WEBP", lossless=True, exact=True)
    yield "turned5.webp", saved(image, "WEBP", quality=40, exif=exif(5))
    yield "1x1.webp", saved(image.crop((0, 0, 1, 1)), "WEBP", lossless=True)
    first, second = image.crop((0, 0, 30, 20)), image.crop((9, 9, 39, 29))
    yield "animated.webp", saved(first, "WEBP", quality=50, save_all=True, append_images=[second], duration=50)
    # A first frame that does not fill the canvas: PIL cannot write one.
    frame = saved(image.crop((0, 0, 12, 8)), "WEBP", lossless=True)[12:]
    u24 = lambda v: struct.pack("<I", v)[:3]
    anmf = u24(4 // 2) + u24(6 // 2) + u24(11) + u24(7) + u24(100) + b"\0" + frame
    body = b"VP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + u24(29) + u24(19) + b"ANIM" + struct.pack("<IIH", 6, 0xFF336699, 0)
    body += b"ANMF" + struct.pack("<I", len(anmf)) + anmf
    yield "animated_offset.webp", b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def gifs():
    image = Image.fromarray(picture(61, 47, seed=6))
    plain = saved(image.quantize(64), "GIF", interlace=0)
    yield "plain.gif", plain
    yield "interlaced.gif", saved(image.quantize(64), "GIF", interlace=1)
    yield "grey.gif", saved(image.convert("L"), "GIF")
    yield "animated.gif", saved(image.quantize(16), "GIF", save_all=True, append_images=[image.rotate(90).quantize(16)], duration=50)
    yield "transparent.gif", saved(image.quantize(16), "GIF", transparency=3)
    yield "1x1.gif", saved(image.crop((0, 0, 1, 1)).quantize(2), "GIF")
    # The same frame at (5, 3) of a canvas that is larger, or that it sticks out of.
    at = plain.index(b",\0\0\0\0\x3d\0\x2f\0")
    moved = plain[:at] + b"," + struct.pack("<HH", 5, 3) + plain[at + 5 :]
    yield "larger_canvas.gif", moved[:6] + struct.pack("<HH", 80, 60) + moved[10:]
    yield "smaller_canvas.gif", moved[:6] + struct.pack("<HH", 20, 60) + moved[10:]
    control = b"!\xf9\4\1\0\0\5\0"
    yield "larger_canvas_transparent.gif", moved[:6] + struct.pack("<HH", 80, 60) + moved[10:at] + control + moved[at:]
    flags = plain[10]
    colours = 3 << ((flags & 7) + 1)
    yield "no_palette.gif", plain[:10] + bytes([flags & 0x7F]) + plain[11:13] + plain[13 + colours :]
    local = plain[: at + 9] + bytes([0x80 | 5]) + picture(64, 1, seed=8).tobytes() + plain[at + 10 :]
    yield "local_palette.gif", local
    yield "short_palette.gif", plain[: at + 9] + bytes([0x80 | 4]) + picture(32, 1, seed=8).tobytes() + plain[at + 10 :]


def rgb(image):
    return np.asarray(image.convert("RGB"))


def entry(pixels):
    return {"width": pixels.shape[1], "height": pixels.shape[0], "sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}


def main():
    HERE.mkdir(exist_ok=True)
    decoded, resized = [], []
    for name, content in [*jpegs(), *pngs(), *webps(), *gifs()]:
        (HERE / name).write_bytes(content)
        decoded.append({"file": name} | entry(rgb(ImageOps.exif_transpose(Image.open(HERE / name)))))
    large = Image.open(HERE / "large.png").convert("RGB")
    sizes = [(211, 127), (53, 32), (211, 40), (40, 127), (300, 90), (90, 300), (457, 311), (1, 1), (7, 500), (212, 126), (200, 90), (200, 105), (105, 63)]
    for width, height in sizes:
        for number in (Image.NEAREST, Image.LANCZOS, Image.BILINEAR, Image.BICUBIC):
            resized.append({"resampling": int(number)} | entry(rgb(large.resize((width, height), number))))
    text = ",\n  ".join(json.dumps(e) for e in decoded), ",\n  ".join(json.dumps(e) for e in resized)
    (HERE / "images.json").write_text('{"decoded": [\n  %s\n],\n"resized": [\n  %s\n]}\n' % text)


if __name__ == "__main__":
    main()
