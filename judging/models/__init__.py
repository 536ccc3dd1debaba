from judging.models.answers import ApiAnswer, ApiBatch
from judging.models.audits import Audit, AuditItem, AuditStratum
from judging.models.filters import FilterMark, SavedFilter
from judging.models.judges import Judge, JudgeRun, Verdict, VerdictRevision
from judging.models.sharing import Chunk
from judging.models.templates import PromptTemplate
from judging.models.tournaments import Tournament, TournamentFile

__all__ = [
    "ApiAnswer",
    "ApiBatch",
    "Audit",
    "AuditItem",
    "AuditStratum",
    "Chunk",
    "FilterMark",
    "Judge",
    "JudgeRun",
    "PromptTemplate",
    "SavedFilter",
    "Tournament",
    "TournamentFile",
    "Verdict",
    "VerdictRevision",
]
