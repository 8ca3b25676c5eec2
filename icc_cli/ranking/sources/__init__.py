"""Where tables of models come from: records, delimited text, exports of experiment trackers."""
