from judging.models.answers import ApiAnswer
from judging.models.audits import Audit, AuditItem, AuditStratum
from judging.models.filters import FilterMark
from judging.models.judges import Judge, JudgeRun, Verdict, VerdictRevision

__all__ = [
    "ApiAnswer",
    "Audit",
    "AuditItem",
    "AuditStratum",
    "FilterMark",
    "Judge",
    "JudgeRun",
    "Verdict",
    "VerdictRevision",
]
