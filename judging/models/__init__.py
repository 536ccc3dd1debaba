from judging.models.answers import ApiAnswer
from judging.models.audits import Audit, AuditItem, AuditStratum
from judging.models.judges import Judge, JudgeRun, Verdict, VerdictRevision

__all__ = ["ApiAnswer", "Audit", "AuditItem", "AuditStratum", "Judge", "JudgeRun", "Verdict", "VerdictRevision"]
