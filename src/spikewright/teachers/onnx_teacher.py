"""A teacher from an ONNX file, written by any tool and run by onnxruntime."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, shape_inference
from torch import Tensor

from ..augmentation.augment import still
from ..base.errors import InputError, refuse
from ..data.dataset import Dataset
from ..data.output_rule import CLASSES, OutputRule
from ..energy.macs import Macs
from .features import unknown_feature
from .hashes import with_format
from .onnx_macs import count_macs, wanted_values
from .onnx_model import AGAIN, LAYOUT_OF, Array, first_line, read_onnx, signature_of
from .onnx_outputs import FLOATS
from .onnx_refusals import RUNTIME_ERRORS, why_not_run
from .onnx_session import new_session
from .samples import SampleFormat, Shape, by
from .torch_teacher import LOGITS, Teacher


class OnnxTeacher(Teacher):
    """A classifier, or a network of values, in an ONNX file.

    The model takes one batch of images in [0, 1], as ``(B, C, H, W)``, ``(B, H, W, C)`` or flat ``(B, C*H*W)``, in the
    batch size that the file fixes, if it does. The logits are its only output, or the one called ``logits``, or the one
    that is named; if a softmax produces that output, they are the softmax's input.

    Attributes:
        name: of the file, and of the output that was requested.
        sha256: of the file, with its external data.
        signature: input, layout and logits of the model.
        taken: how the model takes samples, before its axes are ordered.
    """

    def __init__(
        self,
        path: Path,
        input_shape: Shape,
        classes: int,
        logits: str | None = None,
        taken: SampleFormat | None = None,
        output: OutputRule = CLASSES,
    ) -> None:
        """Read and check the model, and run it once.

        Args:
            path: of the .onnx file.
            input_shape: ``(C, H, W)`` of the data set's images.
            classes: of the data set.
            logits: name of the output that is the logits.
            taken: how the model takes samples; None for as they are, in the order that its axes tell.
            output: what the model's outputs mean.

        Raises:
            InputError: a file that cannot be used, or a model that does not fit the data set.
        """
        file = read_onnx(path)
        self.path = path
        self.name = path.name if logits is None else f"{path.name}:{logits}"
        self.taken = taken or SampleFormat()
        self.sha256 = with_format(file.sha256, self.taken)
        self.input_shape = input_shape
        self._model = file.model
        shape = self.taken.shape_of(input_shape)
        self.signature = signature_of(str(path), self._model.graph, shape, logits, self.taken.layout, output.is_classes)
        self.taken = replace(self.taken, layout=LAYOUT_OF[self.signature.layout])
        refuse(str(path), list(self.taken.faults(input_shape)))
        graph = self._inferred()
        values = (*graph.value_info, *graph.output, *graph.input)
        self._types = {value.name: value.type.tensor_type.elem_type for value in values}
        produced = [name for node in self._model.graph.node for name in node.output if self._types.get(name) in FLOATS]
        self._names = tuple(dict.fromkeys([*produced, LOGITS]))
        self.output = output
        self._sessions: dict[frozenset[str], onnxruntime.InferenceSession] = {}
        self._try(classes)

    def _inferred(self) -> onnx.GraphProto:
        """The graph with the types and shapes of its values.

        Raises:
            InputError: they contradict each other, or are none.
        """
        try:
            return shape_inference.infer_shapes(self._model).graph
        except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
            raise InputError(f"{self.path}: is not a valid ONNX model ({first_line(error)}); {AGAIN}") from error

    def for_data(self, dataset: Dataset) -> OnnxTeacher:
        if self.input_shape != dataset.shape:
            raise InputError(
                f"teacher {self.name}: was made for samples of {by(self.input_shape)}, and {dataset.name} has "
                f"{by(dataset.shape)}; make it for these"
            )
        super().for_data(dataset)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    def features(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """The named values for images ``(B, C, H, W)``, each ``(B, ...)``, float32, on the device of the images.

        Raises:
            InputError: a name that the graph does not have, or a value that is not one array per image.
        """
        unknown_feature(self.name, names, self.names)
        values = [self.signature.logits_name if name == LOGITS else name for name in names]
        whole = self.signature.arranged(self.taken(still(images.detach())).cpu().numpy())
        size = self.signature.batch or max(1, len(whole))
        starts = range(0, max(1, len(whole)), size)
        batches = [self._run_batch(whole[start : start + size], values) for start in starts]
        found = {}
        for place, name in enumerate(names):
            array = np.concatenate([batch[place] for batch in batches]).astype(np.float32, copy=False)
            found[name] = torch.from_numpy(array).to(images.device)
        return {name: self.as_logits(value) if name == LOGITS else value for name, value in found.items()}

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        batch = self.signature.batch or 1
        sample = self._blank(batch)
        names = [self.signature.logits_name if name == LOGITS else name for name in self.names]
        found = zip(self.names, self._run(sample, names), strict=True)
        return {name: array.shape[1:] for name, array in found if array.shape[:1] == (batch,)}

    def saliency(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Not available: onnxruntime gives no gradients.

        Raises:
            InputError: always, with what to do instead.
        """
        raise InputError(
            f"{self.path}: the saliency of {', '.join(names)} for {len(images)} images needs gradients, which an ONNX "
            "file does not give; use a named teacher, or a map that needs no gradients"
        )

    @cached_property
    def macs(self) -> Macs:
        """Multiply-accumulates of one inference, with the shapes of a real run."""
        nodes, batch = self._model.graph.node, self.signature.batch or 1
        sample = self._blank(batch)
        shapes = {tensor.name: tuple(tensor.dims) for tensor in self._model.graph.initializer}
        shapes[self.signature.input_name] = sample.shape
        missing = [name for name in wanted_values(nodes) if name not in shapes]
        shapes.update(zip(missing, [array.shape for array in self._run(sample, missing)], strict=True))
        count, unknown = count_macs(nodes, shapes)
        return Macs(count // batch, unknown)

    def _blank(self, batch: int) -> Array:
        """Black samples as the model takes them."""
        return self.signature.arranged(self.taken(torch.zeros(batch, *self.input_shape)).numpy())

    def _try(self, classes: int) -> None:
        """Run once, so that an unusable model is refused before the training starts."""
        noise = np.random.default_rng(0).random((2, *self.input_shape), np.float32)
        answer = self.logits(torch.from_numpy(noise))
        output = self.signature.logits_name
        if answer.ndim != 2 or answer.shape[1] != classes:
            kind = "classes" if self.output.is_classes else "values"
            raise InputError(
                f"{self.path}: its output {output!r} has shape {tuple(answer.shape[1:])} per image, the data set has "
                f"{classes} {kind} and needs ({classes},); use a model trained for these {kind}"
            )
        if not bool(torch.isfinite(answer).all()):
            raise InputError(f"{self.path}: its output {output!r} is not finite for images of noise; check its weights")
        if (
            self.output.is_classes
            and bool((answer >= 0).all())
            and torch.allclose(answer.sum(1), torch.ones(2), atol=1e-4)
        ):
            raise InputError(
                f"{self.path}: its output {output!r} holds probabilities (they sum to 1), a student learns from the "
                "logits before them; export the model without its last softmax"
            )

    def _run_batch(self, images: Array, values: Sequence[str]) -> list[Array]:
        """Run on one batch as the model takes it, filled up with zeros where the file fixes the batch size."""
        whole = self.signature.batch or max(1, len(images))
        filled = np.concatenate([images, np.zeros((whole - len(images), *images.shape[1:]), images.dtype)])
        answers = self._run(filled, values)
        for name, answer in zip(values, answers, strict=True):
            if answer.shape[:1] != (whole,):
                raise InputError(
                    f"{self.path}: its value {name!r} has shape {answer.shape} for {whole} images, so it is not one "
                    "array per image; choose another value"
                )
        return [answer[: len(images)] for answer in answers]

    def _run(self, images: Array, values: Sequence[str]) -> list[Array]:
        session = self._session(values)
        try:
            return list(session.run(list(values), {self.signature.input_name: images})) if values else []
        except RUNTIME_ERRORS as error:
            raise self._refused(error) from error

    def _session(self, values: Iterable[str]) -> onnxruntime.InferenceSession:
        """A session in which ``values`` are outputs; made once for each set of additional outputs."""
        extra = frozenset(values) - {output.name for output in self._model.graph.output}
        if extra not in self._sessions:
            model = onnx.ModelProto()
            model.CopyFrom(self._model)
            kinds = {name: self._types.get(name, TensorProto.FLOAT) for name in sorted(extra)}
            model.graph.output.extend(helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items())
            self._sessions[extra] = self._started(model)
        return self._sessions[extra]

    def _refused(self, error: Exception) -> InputError:
        return InputError(f"{self.path}: {why_not_run(error)}")

    def _started(self, model: onnx.ModelProto) -> onnxruntime.InferenceSession:
        try:
            return new_session(model)
        except RUNTIME_ERRORS as error:
            raise self._refused(error) from error
