"""A judge of sentiment that is no neural network: TF-IDF of unigrams and a logistic regression.

It is trained on the judge half's reviews alone; PPO and the proxy reward model never see it.
"""
import json

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

REGULARISATION = 8.0  # C; the best of 0.5, 1, 2, 4, 8 on the judge half's validation share (see choose)


def read_texts(path):
    rows = [json.loads(line) for line in open(path, encoding="utf-8")]
    return [row["text"] for row in rows], [row["label"] for row in rows]


def train(path, regularisation=REGULARISATION):
    """A pipeline whose predict_proba(texts)[:, 1] is the probability of a positive review."""
    texts, labels = read_texts(path)
    judge = make_pipeline(TfidfVectorizer(ngram_range=(1, 1), sublinear_tf=True),
                          LogisticRegression(C=regularisation, max_iter=1000))
    return judge.fit(texts, labels)


def accuracy(judge, path):
    texts, labels = read_texts(path)
    return float((judge.predict(texts) == labels).mean())


def choose(data):
    """Validation accuracy of each strength of regularisation."""
    return {c: accuracy(train(data / "judge-train-texts.jsonl", c), data / "judge-validation-texts.jsonl")
            for c in (0.5, 1.0, 2.0, 4.0, 8.0)}
