"""Writes tests/golden/image_processors: what transformers' *ImageProcessorPil make of small pictures.

Each case is a directory as a model's, with preprocessor_config.json (or processor_config.json) and expected.json: by picture the tiles'
sizes, the SHA-256 of their float32 values, how they lie, and "refused" where the processor raises. The values are exact: one product, one
difference and one quotient of each byte. Pinned: transformers 5.24.0, pillow 13.0.0. Run: python3 tests/golden/make_image_processors.py
"""

import hashlib
import json
import pathlib
import shutil

import numpy as np
from make_images import picture
from PIL import Image
from transformers.image_processing_utils import select_best_resolution
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.idefics2.image_processing_pil_idefics2 import Idefics2ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

HERE = pathlib.Path(__file__).parent / "image_processors"
PICTURES = {"odd": (53, 41), "portrait": (30, 71), "panorama": (120, 9), "tiny": (5, 4), "square": (32, 32), "thread": (404, 2)}


class WholeQwen2VL(Qwen2VLImageProcessorPil):
    """Keeps the picture that is about to be cut into patches."""

    def patchify(self, image, **sizes):
        self.whole = np.asarray(image, dtype=np.float32)
        return super().patchify(image, **sizes)


CLASSES = [CLIPImageProcessorPil, SiglipImageProcessorPil, LlavaImageProcessorPil, LlavaNextImageProcessorPil, Qwen2VLImageProcessorPil,
           Idefics2ImageProcessorPil, Idefics3ImageProcessorPil, SmolVLMImageProcessorPil]
BY_TYPE = {kind.__name__.removesuffix("Pil"): kind for kind in CLASSES} | {"Qwen2VLImageProcessor": WholeQwen2VL}

HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
CASES = {
    "clip": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 24}, "crop_size": {"height": 20, "width": 22}},
    "clip_plain_sizes": {"image_processor_type": "CLIPImageProcessorFast", "size": 24, "crop_size": 20, "resample": 1},
    "clip_crop_beyond": {"image_processor_type": "CLIPImageProcessorPil", "size": {"shortest_edge": 15}, "crop_size": {"height": 28, "width": 31}, "resample": 0},
    "clip_two_edges": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 24, "longest_edge": 39}, "do_center_crop": False, "resample": 2},
    "clip_bytes": {"image_processor_type": "CLIPImageProcessor", "do_resize": False, "do_center_crop": False, "do_rescale": False, "do_normalize": False},
    "siglip": {"image_processor_type": "SiglipImageProcessor", "size": {"height": 24, "width": 26}, "do_normalize": None} | HALF,
    "siglip_factor": {"image_processor_type": "SiglipImageProcessor", "size": {"height": 14, "width": 14}, "rescale_factor": 0.00784313725490196, "do_normalize": False},
    "llava_pad": {"image_processor_type": "LlavaImageProcessor", "do_pad": True, "size": {"shortest_edge": 24}, "crop_size": {"height": 24, "width": 24}},
    "llava_next": {"image_processor_type": "LlavaNextImageProcessor", "size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16},
                   "image_grid_pinpoints": [[16, 32], [32, 16], [32, 32], [48, 16], [16, 48]]},
    "llava_next_siglip": {"image_processor_type": "LlavaNextImageProcessor", "size": {"height": 16, "width": 16}, "crop_size": {"height": 16, "width": 16},
                          "do_center_crop": False, "image_grid_pinpoints": [[16, 16], [16, 64], [48, 48], [64, 16]]} | HALF,
    "qwen2_vl": {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 4, "merge_size": 2, "size": {"shortest_edge": 256, "longest_edge": 1500}},
    "qwen2_vl_pixels": {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 7, "merge_size": 1, "min_pixels": 3000, "max_pixels": 6000,
                        "size": {"shortest_edge": 56, "longest_edge": 100}},
    "idefics2": {"image_processor_type": "Idefics2ImageProcessor", "size": {"shortest_edge": 20, "longest_edge": 45}},
    "idefics2_split": {"image_processor_type": "Idefics2ImageProcessor", "size": {"shortest_edge": 12, "longest_edge": 45}, "do_image_splitting": True},
    "idefics3": {"image_processor_type": "Idefics3ImageProcessor", "size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 24}},
    "idefics3_one": {"image_processor_type": "Idefics3ImageProcessor", "size": {"longest_edge": 20}, "max_image_size": {"longest_edge": 24}},
    "smolvlm_whole": {"image_processor_type": "SmolVLMImageProcessor", "size": {"longest_edge": 50}, "max_image_size": {"longest_edge": 24}, "do_image_splitting": False},
}


def tiles_of(processor, image):
    extra = {"return_row_col_info": True} if "return_row_col_info" in processor.valid_kwargs.__annotations__ else {}
    out = processor(image, **extra)
    rows, columns = out.get("rows", [[0]])[0][0], out.get("cols", [[0]])[0][0]
    if isinstance(processor, WholeQwen2VL):
        return [processor.whole], 0, 0, None
    tiles = np.asarray(out["pixel_values"][0])
    masks = out.get("pixel_attention_mask", [None])[0]
    if isinstance(processor, LlavaNextImageProcessorPil):
        height, width = select_best_resolution((image.height, image.width), processor.image_grid_pinpoints)
        rows, columns = height // processor.crop_size.height, width // processor.crop_size.height
    if isinstance(processor, Idefics2ImageProcessorPil) and processor.do_image_splitting:
        rows = columns = 2
    return (tiles if tiles.ndim == 4 else [tiles]), rows, columns, masks


def expectation(processor, image):
    try:
        tiles, rows, columns, masks = tiles_of(processor, image)
    except ValueError as error:
        print(type(processor).__name__, image.size, error)
        return "refused"
    entries = []
    for i, tile in enumerate(tiles):
        shown = tile.shape[1:] if masks is None else (int(masks[i][:, 0].sum()), int(masks[i][0].sum()))
        values = np.ascontiguousarray(tile, dtype=np.float32)
        entries.append([tile.shape[1], tile.shape[2], shown[0], shown[1], hashlib.sha256(values.tobytes()).hexdigest()])
    return {"rows": rows, "columns": columns, "tiles": entries}


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    images = {}
    for seed, (name, (width, height)) in enumerate(PICTURES.items()):
        images[name] = Image.fromarray(picture(width, height, seed) & 0xF8)
        images[name].save(HERE / f"{name}.png", optimize=True)
    for name, config in CASES.items():
        directory = HERE / name
        directory.mkdir()
        inside = name == "smolvlm_whole"  # where newer models have it
        path = directory / ("processor_config.json" if inside else "preprocessor_config.json")
        path.write_text(json.dumps({"image_processor": config} if inside else config, indent=1) + "\n")
        keys = {key: value for key, value in config.items() if key != "image_processor_type" and value is not None}
        kind = BY_TYPE[config["image_processor_type"].removesuffix("Fast").removesuffix("Pil")]
        expected = {picture_name: expectation(kind(**json.loads(json.dumps(keys))), image) for picture_name, image in images.items()}
        lines = ",\n".join(f' "{key}": {json.dumps(value)}' for key, value in expected.items())
        (directory / "expected.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
