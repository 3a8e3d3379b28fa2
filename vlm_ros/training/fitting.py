"""The training loop: dense pre-training of the tower, then questions; resumable, with averaged weights."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from vlm_ros.core.config import setting
from vlm_ros.export.checkpoint import load_pretrained
from vlm_ros.training.architecture import make_model
from vlm_ros.training.augmentation import exposed, mirrored, normalised, pixels_from_images
from vlm_ros.training.objective import DenseHeads, Objective
from vlm_ros.training.questions import Questioner
from vlm_ros.training.view_table import ViewTable

_SAVE_EVERY_S = 120.0


@dataclass(frozen=True)
class FittingConfig:
    """How long and how fast to train. The defaults are those of the committed model."""

    dense_steps: int = setting(6_400, "steps that train the vision tower alone", low=0)
    steps: int = setting(17_200, "steps that train the whole model", low=0)
    batch: int = setting(768, "views per step", low=1)
    measure_every: int = setting(500, "steps between two looks at the views held out", low=1)
    targets: int = setting(6, "things asked for in each view", low=1)
    learning_rate: float = setting(1.0e-3, "highest learning rate of AdamW", low=0.0)
    weight_decay: float = setting(0.05, "weight decay of AdamW", low=0.0)
    warm_up_steps: int = setting(300, "steps over which the learning rate rises", low=0)
    dense_weight: float = setting(0.3, "share of the patch loss beside the answers", low=0.0)
    average: float = setting(0.999, "decay of the averaged weights", low=0.0, high=1.0)
    seed: int = setting(0, "seed of weights, questions and augmentation")


class Fitting:
    """One training run over a table of views; ``state`` is the file that makes it resumable.

    ``start`` is the folder of a checkpoint to begin with, instead of random weights.
    """

    def __init__(
        self, config: FittingConfig, tokenizer: Tokenizer, device: torch.device, state: Path, start: Path | None = None
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device, self.state = config, device, state
        self.vocabulary = tokenizer.get_vocab_size()
        self.model = make_model(self.vocabulary, config.seed).to(device)
        if start is not None:
            self.model.load_state_dict(load_pretrained(LlavaForConditionalGeneration, start).state_dict())
        self.heads = DenseHeads().to(device)
        self.objective = Objective(self.model, self.heads, tokenizer, device)
        self.questioner = Questioner(tokenizer, device, config.targets)
        self.parameters = [*self.model.parameters(), *self.heads.parameters()]
        self.average = [parameter.detach().clone() for parameter in self.model.parameters()]
        self.optimizer = torch.optim.AdamW(
            _decayed(self.model, self.heads, config.weight_decay),
            lr=config.learning_rate,
            betas=(0.9, 0.98),
            fused=device.type == "cuda",
        )
        self.step = 0
        self.best, self.best_loss = self.average, math.inf
        if device.type == "cuda":
            self.model.model.vision_tower.compile(dynamic=False)
            self.model.model.language_model.compile(dynamic=False)
        if state.exists():
            self._load()

    def fit(self, views: ViewTable, held_out: ViewTable) -> LlavaForConditionalGeneration:
        """Train to the end on ``views`` and return the averaged weights that did best on ``held_out``."""
        images, objects, blocked, patches = self._on_device(views)
        unseen = self._on_device(held_out)
        total = self.config.dense_steps + self.config.steps
        saved = time.monotonic()
        with _progress() as progress:
            task = progress.add_task("training", total=total, completed=self.step, loss="")
            while self.step < total:
                rows = torch.randint(len(images), (self.config.batch,), device=self.device)
                loss = self._train(images[rows], objects[rows].long(), blocked[rows].long(), patches[rows].long())
                self.step += 1
                if self.step % self.config.measure_every == 0 and self.step > self.config.dense_steps:
                    self._keep_the_best(unseen)
                if self.step % 100 == 0:
                    told = f"loss {loss.item():.4f}, best held-out {self.best_loss:.4f}"
                    progress.update(task, completed=self.step, loss=told)
                if time.monotonic() - saved > _SAVE_EVERY_S:
                    self._save()
                    saved = time.monotonic()
        self._save()
        return self._with(self.best).eval()

    def _keep_the_best(self, unseen: tuple[Tensor, ...]) -> None:
        """Long training on few views fits them too well: what counts is the loss on views never trained on."""
        loss = self._held_out_loss(unseen)
        if loss < self.best_loss:
            self.best_loss, self.best = loss, [average.clone() for average in self.average]

    @torch.no_grad()
    def _held_out_loss(self, unseen: tuple[Tensor, ...]) -> float:
        """The mean loss of the averaged weights, always over the same questions."""
        devices = [torch.cuda.current_device()] if self.device.type == "cuda" else []
        losses = []
        with torch.random.fork_rng(devices), self._narrow():
            objective = replace(self.objective, model=self._with(self.average).to(self.device))
            torch.manual_seed(0)
            for images, objects, blocked, _ in zip(*(array.split(self.config.batch) for array in unseen), strict=True):
                branches = self.questioner.draw(objects.long(), blocked.long())
                hidden = objective.hidden(normalised(pixels_from_images(images)))
                losses.append(objective.answers(objective.logits(hidden, branches), branches).item())
        return sum(losses) / len(losses)

    def _with(self, weights: list[Tensor]) -> LlavaForConditionalGeneration:
        """A model with ``weights``, rounded to float16 as they are stored."""
        model = make_model(self.vocabulary, self.config.seed)
        with torch.no_grad():
            for parameter, average in zip(model.parameters(), weights, strict=True):
                parameter.copy_(average.half().float())
        return model

    def _train(self, images: Tensor, objects: Tensor, blocked: Tensor, patches: Tensor) -> Tensor:
        flip = torch.rand(len(images), device=self.device) < 0.5
        images, objects, patches = mirrored(images, objects, patches, flip)
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        with self._narrow():
            hidden = self.objective.hidden(normalised(exposed(images)))
            loss = self.heads.loss(hidden, patches, blocked)
            if self.step >= self.config.dense_steps:
                branches = self.questioner.draw(objects, blocked)
                logits = self.objective.logits(hidden, branches)
                loss = self.objective.answers(logits, branches) + self.config.dense_weight * loss
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        with torch.no_grad():
            decay = min(self.config.average, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(self.average, list(self.model.parameters()), 1 - decay)
        return loss.detach()

    def _narrow(self) -> torch.autocast:
        """Products in bfloat16 on a GPU; processors, even those that know it, are faster in float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")

    def _learning_rate(self) -> float:
        """Two cosines, one per stage, each after a warm-up: by step, so that a pause changes nothing."""
        dense = self.step < self.config.dense_steps
        step = self.step if dense else self.step - self.config.dense_steps
        total = self.config.dense_steps if dense else self.config.steps
        warm = min(1.0, (step + 1) / max(1, self.config.warm_up_steps))
        floor = 0.3 if dense else 0.02
        cosine = 0.5 * (1 + math.cos(math.pi * step / max(1, total)))
        return self.config.learning_rate * warm * (floor + (1 - floor) * cosine)

    def _on_device(self, views: ViewTable) -> tuple[Tensor, ...]:
        arrays = (views.images, views.objects, views.blocked, views.patches)
        return tuple(torch.from_numpy(array).to(self.device) for array in arrays)

    def _save(self) -> None:
        unfinished = self.state.with_suffix(".tmp")
        content = {
            "step": self.step,
            "model": self.model.state_dict(),
            "heads": self.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "best": self.best,
            "best_loss": self.best_loss,
        }
        torch.save(content, unfinished)
        unfinished.replace(self.state)

    def _load(self) -> None:
        content = torch.load(self.state, map_location=self.device)
        self.step = content["step"]
        self.model.load_state_dict(content["model"])
        self.heads.load_state_dict(content["heads"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.average, self.best, self.best_loss = content["average"], content["best"], content["best_loss"]


def device_from_name(name: str) -> torch.device:
    """``cpu``, ``cuda``, or with ``auto`` the GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _decayed(model: nn.Module, heads: nn.Module, decay: float) -> list[dict[str, object]]:
    """Matrices decay, vectors (biases, norms) do not."""
    parameters = [*model.parameters(), *heads.parameters()]
    return [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": decay},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.fields[loss]}"),
        TimeRemainingColumn(),
    )
