"""The checkpoint's tokenizer without transformers: what a serving node needs of it, in 20 ms instead of a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from openautoglm.errors import Corrupt
from openautoglm.files import load_json


@dataclass(frozen=True)
class WordPieces:
    """``backend_tokenizer`` cuts texts; the three ids are those of the special tokens. transformers' own names."""

    backend_tokenizer: Any
    cls_token_id: int
    sep_token_id: int
    pad_token_id: int

    @classmethod
    def load(cls, folder: Path) -> WordPieces:
        """From tokenizer.json and tokenizer_config.json in ``folder``.

        Raises:
            Corrupt: one of them is missing or names a special token that the vocabulary does not have.
        """
        try:
            backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
            config = load_json(folder / "tokenizer_config.json")
        except Exception as error:  # tokenizers raises bare Exception
            raise Corrupt(f"{folder}: no readable tokenizer: {str(error).splitlines()[0]}") from None
        found = {}
        for field, names in {"cls": ("cls", "bos"), "sep": ("sep", "eos"), "pad": ("pad",)}.items():
            token = next(
                (_content(config[f"{name}_token"]) for name in names if config.get(f"{name}_token")), None
            )
            number = backend.token_to_id(token) if token else None
            if number is None and field != "pad":
                raise Corrupt(
                    f"{folder}/tokenizer_config.json: no {field}_token of the vocabulary, found {token!r}"
                )
            found[f"{field}_token_id"] = number or 0
        return cls(backend, **found)

    def __repr__(self) -> str:
        return f"WordPieces(vocabulary={self.backend_tokenizer.get_vocab_size()})"


def _content(token: str | dict[str, Any]) -> str:
    return token if isinstance(token, str) else str(token["content"])
