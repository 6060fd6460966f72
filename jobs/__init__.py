"""Thin entry points for `ray job submit`, one a command of `mammo`."""
