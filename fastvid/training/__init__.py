"""Styles learned from paintings, by perceptual losses.

command           the loop of `fastvid train`; `ranks`: under mpirun; `options`, `settings`
trainer           steps of frame models; `recurrent_trainer`: of recurrent ones
bank              the networks that are trained, one for several styles; `recurrent_bank`;
                  `start`: those that a training begins with
photos, pairs, video_pairs, sequences, video_sequences
                  what is learned from; `sampling`, `sequence_sampling`: which of it when;
                  `compression`: as films are
world             the ranks that train together
state, report     what a training goes on from, and what it tells
"""
