"""How people name their columns, in order of trust, and which names need company to be believed."""

from collections.abc import Mapping
from typing import Final

__all__ = ["COMPANY_NAMES", "NAMES", "WEAK_NAMES"]

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    # In order of trust: an exact name of ours first, then what the field uses.
    "item_id": ("itemid", "exampleid", "sampleid", "rowid", "id", "uid", "uuid", "taskid", "task", "imageid",
                "docid", "recordid", "item", "key"),
    "split": ("split", "datasplit", "datasetsplit"),
    "given_label": ("givenlabel", "label", "labels", "target", "y", "ytrue", "truelabel", "groundtruth", "class",
                    "classlabel", "category"),
    "gold_label": ("goldlabel", "gold", "goldstandard", "expertlabel"),
    "predicted": ("predicted", "predictedlabel", "prediction", "predlabel", "pred", "ypred", "yhat",
                  "modellabel"),
    "pred_probs": ("predprobs", "predproba", "probabilities", "probs", "proba", "probability", "softmax"),
    "annotator": ("annotator", "annotatorid", "annotatorname", "worker", "workerid", "rater", "raterid",
                  "labeler", "labeller", "labelledby", "labeledby", "annotatedby", "givenby", "completedby"),
    "group": ("group", "groupid", "userid", "sessionid", "patientid", "documentid"),
    "fold": ("fold", "cvfold", "foldid"),
    "started_at": ("startedat", "starttime", "accepttime", "startedtime"),
    "labelled_at": ("labelledat", "labeledat", "submittedat", "submittime", "annotatedat", "completedat",
                    "createdat"),
    "seconds": ("seconds", "leadtime", "durations", "durationsec", "durationseconds", "worktimeinseconds",
                "timespent", "secondsspent"),
    "batch": ("batch", "batchid"),
    "comment": ("comment", "comments", "annotatorcomment"),
    "text": ("text", "sentence", "question", "body", "message", "document", "content", "review", "utterance"),
    "image": ("image", "img", "png", "jpeg", "jpg", "imagebytes", "imagepath", "imageurl", "picture"),
    "embedding": ("embedding", "embeddings", "vector", "emb", "features", "textembedding", "imageembedding"),
}  # fmt: skip
"""Role to names, folded to small letters and digits; such a name is believed wherever its values allow it."""

COMPANY_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "team": ("team", "teamname", "annotatorteam", "annotationteam", "vendor", "vendorname", "company", "agency",
             "provider", "site"),
    "reviewer": ("reviewer", "reviewerid", "reviewername", "reviewedby", "checkedby", "verifiedby", "approvedby",
                 "auditor", "auditedby", "qa"),
    "verdict": ("verdict", "reviewverdict", "reviewstatus", "reviewresult", "reviewdecision", "assignmentstatus",
                "accepted", "status"),
    "suggested": ("suggested", "suggestedlabel", "suggestion", "modelsuggestion", "prelabel", "prelabelled",
                  "prelabeled"),
    "round": ("round", "roundnumber", "annotationround", "labellinground", "labelinground", "pass", "iteration"),
    "guideline": ("guidelineversion", "guideline", "guidelines", "guidelinesversion", "instructionversion",
                  "instructionsversion", "specversion"),
    "comment": ("note", "notes", "remark", "remarks", "annotatornote", "annotatornotes"),
    "model": ("modelname", "modelversion", "modelid", "model"),
}  # fmt: skip
"""Role to names that mean it only beside who voted (``model``: beside predictions); alone they are features."""

WEAK_NAMES: Final = frozenset(
    {"company", "agency", "provider", "site", "qa", "accepted", "pass", "iteration", "model", "suggestion"}
)
"""Names that as often describe an item, as the model of a car does: believed where nothing else describes items."""
