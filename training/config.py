"""Every dimension, prompt and size of the demonstration model. The bundle's manifest is written from here."""

LABELS = [
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
    "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other",
    "Fracture", "Support Devices",
]  # CheXpert's order (Irvin et al. 2019)

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant acting as an experienced radiologist. "
    "The assistant gives professional, detailed, and polite answers to the user's questions."
)
REPORT_INSTRUCTION = (
    "<image>. Predicted Findings: {findings}. You are to act as a radiologist and write the finding section of a "
    "chest x-ray radiology report for this X-ray image and the given predicted findings. Write in the style of a "
    "radiologist, write one fluent text without enumeration, be concise and don't provide explanations or reasons."
)

SHORTER_SIDE = 256
ENCODER_SIDE = 224      # grid 7x7, 49 image tokens
CLASSIFIER_SIDE = 244   # grid 8x8, pooled 2x2 to 4x4

STEM = 16
STAGE_BLOCKS = [3, 4, 6, 3]
STAGE_CHANNELS = [16, 32, 64, 128]
EXPANSION = 4
PATCH_CHANNELS = 64     # the encoder's patch features have twice as many
PROJECTION = 64
POOL = 2
CLASSIFIER_HIDDEN = 128

LAYERS = 6
HIDDEN = 256
HEADS = 4
FEED_FORWARD = 640
VOCABULARY = 1536
CONTEXT = 1024
RMS_EPS = 1e-5
ROPE_THETA = 10000.0
ALIGNMENT_HIDDEN = 256

MAX_REPORT_TOKENS = 300
MAX_ANSWER_TOKENS = 300


def prompt_findings(positive):
    """The findings string of the prompt: positive labels, lower case; spec: model.md section 3."""
    names = [label for label, on in zip(LABELS, positive) if on]
    if any(n not in ("No Finding", "Support Devices") for n in names):
        names = [n for n in names if n != "No Finding"]
    return ", ".join(n.lower() for n in names) if names else "no common findings"
