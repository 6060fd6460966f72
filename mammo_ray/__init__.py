"""A screening archive in, scores, masks and reports out; all heavy work on Ray.

The flow, which is also the layout of the package::

    archive -> manifest -> prepared images -> folds -> model -> evaluation -> scores -> report
               datasets    dicom, preprocess,  splits   models,   evaluation   scoring   reports
                           prepared                     training

Every stage is a plain function that runs on a list of files without Ray; `distributed` wraps the
stages in Ray Data and Ray Train, and `cli` (with the thin scripts in `jobs/`) gives each a command.
"""

__version__ = "0.1.0"
