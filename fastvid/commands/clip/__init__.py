"""A generated film whose motion and occlusions are known exactly, for the demo and the tests.

command           `fastvid clip`
clip, writing     the clip, and its file
bay, village, flowers
                  the shots; `bay_things`, `village_things`: what stands and floats there
layers, motions   painted layers that move, and how
sphere, world     a film of 360 degrees instead, and what is around its camera
canvas, sound     what layers are painted on; the music
"""
