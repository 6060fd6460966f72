"""From one decoded image to a score, and from scores to breasts, exams and a worklist."""
