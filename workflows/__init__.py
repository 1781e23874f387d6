"""One workflow per file; what they decide is in `topups.lifecycle` and `topups.books.reconciliation`."""

from workflows.audit import TopUpAudit
from workflows.reconcile import Reconcile
from workflows.topup import TopUp

__all__ = ["Reconcile", "TopUp", "TopUpAudit"]
