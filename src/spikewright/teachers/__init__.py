"""Teachers: trained networks, ONNX models, spiking networks, and their cached outputs."""
