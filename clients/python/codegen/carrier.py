"""What the generated operations call; copied beside them when the package is built."""

from typing import Any

from pydantic import BaseModel

from earnest_client.api.base_model import UNSET
from earnest_client.transport import Transport


class Carrier(Transport):
    """`Transport`, with variables as the generated code gives them: models, enums, and what was left out."""

    def plain(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The variables as JSON."""
        return {name: _plain(value) for name, value in variables.items() if value is not UNSET}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
