"""What did the program count when it ran on the training workloads?"""
