"""Events of a customer: whom they name, recording, changing, matching."""
