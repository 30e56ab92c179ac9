"""Response distillation of KDSNN."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from .base import Confidence
from .conventional import ConventionalKD


class ResponseKDSNN(ConventionalKD):
    """Soft labels of the teacher, joint with the labels: conventional distillation with weights of its own."""

    title: ClassVar[str] = "response distillation of KDSNN"
    source: ClassVar[str] = (
        "Xu, Li, Shen, Liu, Tang, Pan 2023, arXiv 2304.05627; known from notes by others; tau^2, alpha and tau are "
        "our reading"
    )
    confidence: ClassVar[Confidence] = "low"

    form: Literal["response"] = Field("response", description="the form on soft labels")
    alpha: float = Field(0.9, ge=0, le=1, description="weight of the teacher against the labels; unknown, our choice")
    temperature: float = Field(4.0, gt=0, description="tau of both networks; unknown, our choice")
