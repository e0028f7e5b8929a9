from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Arrears",
    "SITE_HEADER": "Arrears",
}
