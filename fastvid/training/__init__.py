"""Styles learned from paintings, by perceptual losses.

command           the options and the loop of `fastvid train`; `ranks`: under mpirun; `settings`
trainer           steps of frame models; `recurrent_trainer`: of recurrent ones
bank              the networks that are trained; `recurrent_bank`
photos, pairs, video_pairs, sequences, video_sequences
                  what is learned from; `sampling`, `sequence_sampling`: which of it when
world             the ranks that train together
state, report     what a training goes on from, and what it tells
"""
