"""From samples to scores and detections: log-mel, streaming CRNN, model file, detector.

It needs only the step in C, or else numpy. It knows wake words, but no sockets and no devices.
"""

from wakeword_daemon.engine.detector import Detection, Detector, Step
from wakeword_daemon.engine.modelfile import Model, ModelCard, OperatingPoint, read_model
from wakeword_daemon.engine.trigger import WordSettings

__all__ = [
    "Detection",
    "Detector",
    "Model",
    "ModelCard",
    "OperatingPoint",
    "Step",
    "WordSettings",
    "read_model",
]
