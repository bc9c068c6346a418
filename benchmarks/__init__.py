"""How fast is it?  Each module answers one question; run one as `python -m benchmarks.speed`.

| module | question |
| --- | --- |
| `speed` | How fast is streamware, compared with other libraries? |
| `losses` | What does a contender lose: values, the stream, memory? |
| `first_chunk` | How soon does an export have something to send? |
| `memory` | How much memory does an export take, by number of rows? |
| `loop` | How long do exports delay the other tasks of an event loop? |
| `delivery` | What does delivery over HTTP cost? |
| `scratch` | What do scratch files cost? |
| `sources` | What do rows of a database cost, and which line of a view takes constant memory? |
| `small` | What does an export of ten rows cost? |
| `shapes` | What do wide, mixed and sparse tables, equal names and long cells cost? |
| `workbooks` | What do the features of workbooks cost? |
| `instructions` | How many instructions does a row take, and have they become more? |

The others are their parts: `paths` (the compiled kernel, or Python alone), `workloads` (the rows),
`contender`, `contenders` and `rivals` (the other libraries), `child` (one run in a process of its
own), `process`, `served` and `clients` (for `delivery`), `databases`, `models`, `django_models`,
`lines`, `readings` and `served_…` (for `sources`), and `table`.
"""
